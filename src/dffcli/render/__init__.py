"""From a picture and a prediction to a picture."""
