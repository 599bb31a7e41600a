"""The bundled street networks."""
