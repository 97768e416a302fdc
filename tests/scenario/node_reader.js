// Node's HTTP server with its strict parser, as the second reader of the differential test. It prints one JSON line
// for its port, then one for each request that has come whole or broken off, and for each thing that it could not
// read. What is read and not UTF-8 is printed as Latin-1, so that nothing is lost.
"use strict";
const http = require("http");

function say(line) {
	process.stdout.write(JSON.stringify(line) + "\n");
}

const server = http.createServer({ insecureHTTPParser: false, maxHeaderSize: 1 << 20, keepAliveTimeout: 60000 });
server.maxHeadersCount = 0;
server.on("request", (req, res) => {
	const body = [];
	let said = false;
	const end = () => {
		if (said)
			return;
		said = true;
		say({ id: req.headers["x-request-id"], method: req.method, target: req.url, host: req.headers.host,
			declared: req.headers["content-length"] || "", complete: req.complete,
			body: Buffer.concat(body).toString("latin1") });
	};
	req.on("data", (part) => body.push(part));
	req.on("end", () => { end(); res.end("ok"); });
	req.on("error", end);
	req.on("close", end);
});
server.on("clientError", (e, socket) => {
	say({ refused: e.code, raw: (e.rawPacket || Buffer.alloc(0)).toString("latin1") });
	socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
});
server.listen(0, "127.0.0.1", () => say({ port: server.address().port, methods: http.METHODS }));
