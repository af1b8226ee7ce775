"""The two models, their training, export and evaluation; imports TensorFlow, so never in a serving process."""
