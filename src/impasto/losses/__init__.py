"""How far apart two pictures are: content, style in its several readings, smoothness."""
