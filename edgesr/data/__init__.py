"""Images, resizing, rendered slides, PDF pages, and pairs of low and high resolution."""
