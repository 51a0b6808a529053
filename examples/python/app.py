"""A greeting from Flask. Gunicorn serves it and ends it on SIGTERM when its requests are done."""

import os

from flask import Flask

VERSION = 1

app = Flask(__name__)


@app.get("/")
def index():
    greeting = os.environ.get("GREETING", "Hello")
    release = os.environ.get("PAAS_RELEASE_VERSION", "none")
    return f"{greeting} from Python\nrelease: {release}\nversion: {VERSION}\n", {"Content-Type": "text/plain; charset=utf-8"}
