#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetches a page by HTTPS and prints it; nothing here knows of QKD.

    client.py URL CA.pem
"""
import ssl
import sys
import urllib.request


def main():
    url, ca = sys.argv[1:]
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with urllib.request.urlopen(url, timeout=10, context=context) as answer:
        sys.stdout.write(answer.read().decode())


if __name__ == "__main__":
    main()
