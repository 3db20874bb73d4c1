"""Card printers that take jobs over IPP, with no driver of their own."""
