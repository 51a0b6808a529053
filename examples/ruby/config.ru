# A greeting from Rack. Puma serves it and ends it on SIGTERM when its requests are done.
VERSION = 1

run lambda { |_env|
  greeting = ENV.fetch("GREETING", "Hello")
  release = ENV.fetch("PAAS_RELEASE_VERSION", "none")
  body = "#{greeting} from Ruby\nrelease: #{release}\nversion: #{VERSION}\n"
  [200, { "content-type" => "text/plain; charset=utf-8" }, [body]]
}
