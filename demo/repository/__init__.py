"""A repository on loopback that speaks OAI-PMH 2.0 and SRU 1.2 over the same records, and misbehaves on demand.

`python -m demo.repository --port 8091`: OAI-PMH at /oai (marc21, oai_dc, lido; sets books, ebooks and objects), SRU at /sru.
"""
