import { connect, Milestone, SusulError, value } from "@susul/client";

const { SUSUL_ADDRESS = "127.0.0.1:7070", SUSUL_APP = "demo", SUSUL_MASTER_SECRET = "secret" } = process.env;
const susul = connect({ address: SUSUL_ADDRESS, app: SUSUL_APP, masterSecret: SUSUL_MASTER_SECRET });
const parent = `apps/${SUSUL_APP}`;

try {
  const events = susul.watchEvents({ parent });
  await events.next(); // the first answer has no event: it says that the watch has begun

  const { push } = await susul.pushes.createPush({
    parent,
    push: {
      audience: { kind: { case: "registrationIds", value: { ids: ["1507bfd3f9e0a1b2c3d"] } } },
      notification: { alert: "Three things to know today" },
      customArgs: value({ kind: "news" }),
    },
  });
  console.log(`sent ${push?.msgId}`);

  for await (const { event } of events) {
    if (!event || event.msgId !== push?.msgId) {
      continue;
    }
    console.log(Milestone[event.milestone], event.callback?.registrationId);
    if (event.milestone === Milestone.CLICKED) {
      break;
    }
  }

  const { report } = await susul.callbacks.getPushReport({ name: `${push?.name}/report` });
  console.log(`${report?.total?.clicked} of ${report?.total?.targets} clicked`);
} catch (error) {
  if (error instanceof SusulError && error.reason === "INVALID_REQUEST") {
    console.error(error.fieldViolations);
  }
  throw error;
} finally {
  susul.close();
}
