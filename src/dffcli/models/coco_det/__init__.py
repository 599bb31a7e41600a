"""The bundled detector: COCO's 80 things in a network small enough for a processor without a GPU."""
