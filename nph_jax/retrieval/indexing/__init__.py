"""What an index is made of: files that are the truth, engines that search."""

# Here, where nothing else is imported: the command line shows them in no time.
ENGINES = ('flat', 'multihash', 'ivf', 'milvus', 'milvus_ivf')
