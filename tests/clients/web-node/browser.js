// Opens a page in Chromium by playwright-core and passes on what it says on its console, until SIGTERM.
"use strict";

const { chromium } = require("playwright-core");

exports.open = async function open({ target, executable }) {
  const browser = await chromium.launch({
    executablePath: executable,
    // The pages come from loopback; the certificate's authority is the test's own.
    args: ["--no-sandbox", "--ignore-certificate-errors"],
  });
  try {
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    page.on("console", (message) => console.log(message.text()));
    page.on("pageerror", (error) => console.log(`page error: ${error}`));
    await page.goto(target + "/page", { waitUntil: "commit" });
    await new Promise((resolve) => process.on("SIGTERM", resolve));
  } finally {
    await browser.close();
  }
};
