"""Folders of vendors: local ones and those on SFTP, FTP and S3 servers."""
