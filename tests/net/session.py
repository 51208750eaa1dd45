#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""session.py - a TCP session of small questions and answers, as routing protocols keep one.

    session.py serve ADDRESS PORT              answers whoever connects, until it is killed
    session.py ask ADDRESS PORT SECONDS        asks 50 times a second; prints answers, the longest wait in ms

Exit code of `ask`: 0 when every question was answered within ten seconds.
"""
import socket
import sys
import threading
import time

QUESTION = b"?" * 19  # a BGP keepalive has 19 bytes
WAIT_S = 10.0


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def answer(peer):
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with peer:
        while True:
            data = peer.recv(4096)
            if not data:
                return
            peer.sendall(data)


def serve(address, port):
    server = socket.create_server((address, port), family=family(address), backlog=64)
    while True:
        peer, _ = server.accept()
        threading.Thread(target=answer, args=(peer,), daemon=True).start()


def receive(peer):
    got = b""
    while len(got) < len(QUESTION):
        data = peer.recv(len(QUESTION) - len(got))
        if not data:
            raise OSError("closed")
        got += data


def ask(address, port, seconds):
    peer = socket.create_connection((address, port), timeout=WAIT_S)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    end = time.monotonic() + seconds
    answers, longest = 0, 0.0
    with peer:
        while time.monotonic() < end:
            begin = time.monotonic()
            peer.sendall(QUESTION)
            receive(peer)
            took = time.monotonic() - begin
            answers, longest = answers + 1, max(longest, took)
            time.sleep(max(0.0, 0.02 - took))
    print(f"answers={answers} longest_ms={longest * 1000:.0f}")


def main():
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        try:
            ask(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
        except OSError as error:
            sys.exit(f"session.py: {error}")


if __name__ == "__main__":
    main()
