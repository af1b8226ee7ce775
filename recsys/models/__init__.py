"""The two models, their training, export and evaluation; they need TensorFlow, so serving never imports it."""
