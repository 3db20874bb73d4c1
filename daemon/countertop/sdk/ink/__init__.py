"""What ink becomes: figures, pictures, records, and the file that binds it to a document."""
