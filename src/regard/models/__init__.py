"""Models: one architecture a file, read in one sitting; folders that hold them; the catalogue of bundled ones."""
