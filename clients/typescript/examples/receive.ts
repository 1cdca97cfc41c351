import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { CallbackError, verifyCallback } from "@susul/client";

const { PORT = "8080", SUSUL_CALLBACK_USERNAME = "susul", SUSUL_CALLBACK_SECRET = "your-callback-secret" } = process.env;
const signed = { username: SUSUL_CALLBACK_USERNAME, secrets: [SUSUL_CALLBACK_SECRET] };

const server = createServer(async (request, response) => {
  try {
    const body = await buffer(request); // the bytes as they came
    for (const { to, status, susul } of verifyCallback(request.headers, body, signed)) {
      console.log(susul.event_id, to, status.message_status);
    }
    response.writeHead(204).end();
  } catch (error) {
    response.writeHead(error instanceof CallbackError ? 400 : 500).end();
  }
});
server.listen(Number(PORT), () => console.log("listening", server.address()));
