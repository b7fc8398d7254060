"""The studio: a web page of the package, on Gradio. Only the command line knows of it."""
