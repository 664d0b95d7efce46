"""What an index is made of: files that are the truth, engines that search."""
