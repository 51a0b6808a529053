// A greeting from Node's own http module; on SIGTERM it finishes its requests and ends.
const http = require("http");

const VERSION = 1;

const server = http.createServer((request, response) => {
  const greeting = process.env.GREETING ?? "Hello";
  const release = process.env.PAAS_RELEASE_VERSION ?? "none";
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end(`${greeting} from Node.js\nrelease: ${release}\nversion: ${VERSION}\n`);
});

const port = process.env.PORT ?? 3000;
server.listen(port, "0.0.0.0", () => console.log(`listening on ${port}`));
process.on("SIGTERM", () => {
  console.log("SIGTERM: finishing requests");
  server.close(() => process.exit(0));
  server.closeIdleConnections?.();
});
