"""The two models: training, export and evaluation; they need TensorFlow, so serving never imports this."""
