// Starts `pavane lsp` for .choreo files and hands it the settings. Everything else is the server's.
"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function settings() {
  const own = vscode.workspace.getConfiguration("pavane");
  return { strict: own.get("strict"), extensionKeys: own.get("extensionKeys") };
}

async function start() {
  const command = vscode.workspace.getConfiguration("pavane").get("command");
  client = new LanguageClient(
    "pavane",
    "Pavane",
    { command, args: ["lsp"] },
    { documentSelector: [{ language: "choreo" }], initializationOptions: settings() },
  );
  try {
    await client.start();
  } catch (error) {
    const advice = 'Install it with `pip install "pavane[lsp]"`, or set pavane.command.';
    vscode.window.showErrorMessage(`${command} lsp did not start: ${error.message}. ${advice}`);
  }
}

async function stop() {
  const running = client;
  client = undefined;
  if (running && running.isRunning()) {
    await running.stop();
  }
}

async function configured(event) {
  if (event.affectsConfiguration("pavane.command")) {
    await stop();
    await start();
  } else if (event.affectsConfiguration("pavane") && client && client.isRunning()) {
    const changed = { settings: { pavane: settings() } };
    await client.sendNotification("workspace/didChangeConfiguration", changed);
  }
}

async function activate(context) {
  context.subscriptions.push(
    vscode.workspace.onDidChangeConfiguration(configured),
    vscode.commands.registerCommand("pavane.restart", async () => {
      await stop();
      await start();
    }),
  );
  await start();
}

module.exports = { activate, deactivate: stop };
