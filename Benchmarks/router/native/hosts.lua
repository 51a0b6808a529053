-- wrk: requests for the hosts named after `--`, in turn. They are made once.
local requests, turn = {}, 0
function init(args)
  for index, host in ipairs(args) do
    requests[index] = "GET / HTTP/1.1\r\nHost: " .. host .. "\r\n\r\n"
  end
end
function request()
  turn = turn % #requests + 1
  return requests[turn]
end
