"""Parts for other libraries, one file each; importing one needs that library."""
