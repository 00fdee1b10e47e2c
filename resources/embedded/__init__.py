"""A real PostgreSQL and a real Redis from wheels, for whoever has none: started when their variables are not set.

The servers outlive the process that starts them. They listen on Unix sockets in folders of mode 0700 and on no port, so
there is no password to keep, and two checkouts never clash. What is alive is read from the processes themselves (program
and working folder), never from a pid file: a pid file may be of yesterday, and its number another program's today.
"""
