"""Provide the studio, a web page built on Gradio; only the command line imports it."""
