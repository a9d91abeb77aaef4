"""Paper: PDF documents that can be printed, signed and filed, in Chinese and English.

The only import site of reportlab. Nothing here knows what a document is about.
"""
