// One line of JSON for the test.
"use strict";

exports.say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
