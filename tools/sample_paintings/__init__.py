"""Draw the sample paintings: strokes, pieces and washes at several scales, by code."""
