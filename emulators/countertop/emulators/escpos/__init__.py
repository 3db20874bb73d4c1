"""An ESC/POS receipt printer in software."""
