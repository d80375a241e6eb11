// A phone in a web page, without the page: sip.js over a WebSocket, with media descriptions handed to it instead of a
// browser's. What happens is written to standard output, a line each.
//
//   node phone.mjs URL USER PASSWORD DOMAIN SDP answer         registers and answers one call
//   node phone.mjs URL USER PASSWORD DOMAIN SDP call TARGET    registers and calls

import { Inviter, Registerer, RegistererState, SessionState, UserAgent } from "sip.js";
import WebSocket from "ws";

const [url, user, password, domain, sdp, mode, target] = process.argv.slice(2);
const say = (...words) => console.log(words.join(" "));

// A browser says which page it shows.
globalThis.WebSocket = class extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { origin: "https://desk.example" });
  }
};

const description = () => ({
  close() {},
  getDescription: async () => ({ body: sdp, contentType: "application/sdp" }),
  hasDescription: (type) => type === "application/sdp",
  holdModifier: async (it) => it,
  rollbackDescription: async () => {},
  sendDtmf: () => false,
  setDescription: async (theirs) => {
    const [, address] = theirs.match(/^c=IN IP4 (\S+)/m);
    const [, port] = theirs.match(/^m=audio (\d+)/m);
    say("media", `${address}:${port}`);
  },
});

const follow = (session) =>
  session.stateChange.addListener((state) => {
    if (state === SessionState.Established) say("established");
    if (state === SessionState.Terminated) {
      say("ended");
      agent.stop().then(() => process.exit(0));
    }
  });

const agent = new UserAgent({
  uri: UserAgent.makeURI(`sip:${user}@${domain}`),
  authorizationUsername: user,
  authorizationPassword: password,
  transportOptions: { server: url },
  sessionDescriptionHandlerFactory: description,
  logBuiltinEnabled: true,
  logLevel: "warn",
  delegate: {
    onInvite(invitation) {
      say("invited");
      follow(invitation);
      invitation.accept();
    },
    onDisconnect: (error) => say("disconnected", error ?? ""),
  },
});

await agent.start();
const registerer = new Registerer(agent, { expires: 60 });
registerer.stateChange.addListener((state) => {
  if (state !== RegistererState.Registered) return;
  say("registered", registerer.contacts.join(" "));
  if (mode === "call") {
    const session = new Inviter(agent, UserAgent.makeURI(`sip:${target}@${domain}`));
    follow(session);
    session.invite({
      requestDelegate: {
        onReject: ({ message }) => say("refused", message.statusCode, message.getHeader("Warning") ?? ""),
      },
    });
    // The page's owner hangs up when the test says so.
    process.on("SIGUSR2", () => session.bye());
  }
});
await registerer.register({
  requestDelegate: { onReject: ({ message }) => say("not registered", message.statusCode) },
});
