"""The methods, one file a paper; the folder names are the field's families."""
