-- wrk: uploads of 1 MB. The request is made once.
wrk.method = "POST"
wrk.body = string.rep("z", 1048576)
wrk.headers["Content-Type"] = "application/octet-stream"
