"""Counts words: POST a text to /count."""

from collections import Counter

from flask import Flask, jsonify, request

app = Flask(__name__)


@app.get("/")
def about():
    return jsonify(service="word counter")


@app.post("/count")
def count():
    words = request.get_data(as_text=True).lower().split()
    return jsonify(Counter(words))
