"""Between BIBFRAME 2 and MARC 21: what stands for what, and the fields of a record by their kinds."""
