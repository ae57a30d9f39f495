/** How each system starts the miner at login: one file, and the commands that enable and disable it. */
import { join } from "node:path"

export interface Autostart {
  /** The file that describes the miner to the system. */
  readonly file: string
  readonly text: string
  /** End a miner that runs by an earlier file; they may fail. */
  readonly before?: readonly (readonly string[])[]
  readonly enable: readonly (readonly string[])[]
  readonly disable: readonly (readonly string[])[]
  /** What follows once the file is gone. */
  readonly after?: readonly (readonly string[])[]
  /** What the owner should know. */
  readonly note: string
}

export interface Program {
  /** Absolute path of the executable. */
  readonly executable: string
  /** Absolute path of the configuration file. */
  readonly config: string
  /** The user's home directory. */
  readonly home: string
  /** The user's configuration directory on Linux: `~/.config`, or XDG_CONFIG_HOME. */
  readonly userConfig: string
}

const LABEL = "network.quantus.miner"
const TASK = "quantus-miner"

/** @returns undefined for a system without a known way */
export function autostartFor(platform: NodeJS.Platform, program: Program): Autostart | undefined {
  if (platform === "linux") return systemdUser(program)
  if (platform === "darwin") return launchAgent(program)
  if (platform === "win32") return scheduledTask(program)
  return undefined
}

function systemdUser({ executable, config, userConfig }: Program): Autostart {
  const unit = "quantus-miner.service"
  const text = [
    "[Unit]",
    "Description=Quantus miner",
    "Documentation=man:quantus-miner(1)",
    "",
    "[Service]",
    "Type=notify",
    `ExecStart=${[executable, "serve", "--config", config].map(unitWord).join(" ")}`,
    "ExecReload=/bin/kill -HUP $MAINPID",
    "Restart=always",
    "RestartSec=5",
    "RestartPreventExitStatus=64 70 78",
    "WatchdogSec=60",
    "TimeoutStopSec=10",
    "UMask=0077",
    "",
    "[Install]",
    "WantedBy=default.target",
    "",
  ].join("\n")
  return {
    file: join(userConfig, "systemd/user", unit),
    text,
    enable: [
      ["systemctl", "--user", "daemon-reload"],
      ["systemctl", "--user", "enable", unit],
      // Restarts a miner that runs by the earlier file.
      ["systemctl", "--user", "restart", unit],
    ],
    disable: [["systemctl", "--user", "disable", "--now", unit]],
    after: [["systemctl", "--user", "daemon-reload"]],
    note: "it runs while you are logged in; loginctl enable-linger keeps it running after log-out",
  }
}

function launchAgent({ executable, config, home }: Program): Autostart {
  const file = join(home, "Library/LaunchAgents", `${LABEL}.plist`)
  const log = join(home, "Library/Logs/quantus-miner.log")
  const words = [executable, "serve", "--config", config, "--log-file", log]
  const text = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    "<dict>",
    `  <key>Label</key><string>${LABEL}</string>`,
    "  <key>ProgramArguments</key>",
    `  <array>${words.map(word => `<string>${xml(word)}</string>`).join("")}</array>`,
    "  <key>RunAtLoad</key><true/>",
    // Exit codes that a restart does not help are not distinguished by launchd. ProcessType Background would confine the
    // miner to efficiency cores.
    "  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>",
    "  <key>ProcessType</key><string>Standard</string>",
    "</dict>",
    "</plist>",
    "",
  ].join("\n")
  return {
    file,
    text,
    before: [["launchctl", "unload", file]],
    enable: [["launchctl", "load", "-w", file]],
    disable: [["launchctl", "unload", "-w", file]],
    note: `it runs while you are logged in; its log is ${log}`,
  }
}

function scheduledTask({ executable, config, home }: Program): Autostart {
  const file = join(home, "quantus-miner-task.xml")
  const words = ["serve", "--config", config, "--log-file", `${config}.log`]
  const text = [
    '<?xml version="1.0"?>',
    '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">',
    "  <Triggers><LogonTrigger><Enabled>true</Enabled></LogonTrigger></Triggers>",
    "  <Settings>",
    "    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>",
    "    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>",
    "    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>",
    "    <RestartOnFailure><Interval>PT1M</Interval><Count>99</Count></RestartOnFailure>",
    "  </Settings>",
    "  <Actions><Exec>",
    `    <Command>${xml(executable)}</Command>`,
    `    <Arguments>${xml(words.map(windowsWord).join(" "))}</Arguments>`,
    "  </Exec></Actions>",
    "</Task>",
    "",
  ].join("\n")
  return {
    file,
    text,
    before: [["schtasks", "/End", "/TN", TASK]],
    enable: [
      ["schtasks", "/Create", "/F", "/TN", TASK, "/XML", file],
      ["schtasks", "/Run", "/TN", TASK],
    ],
    disable: [
      ["schtasks", "/End", "/TN", TASK],
      ["schtasks", "/Delete", "/F", "/TN", TASK],
    ],
    note: `it runs while you are logged in; its log is ${config}.log`,
  }
}

/** A word of a unit file: quoted, with specifiers and variables escaped (systemd.service(5)). */
function unitWord(word: string): string {
  return `"${word.replace(/[\\"]/g, "\\$&").replaceAll("%", "%%").replaceAll("$", "$$$$")}"`
}

function windowsWord(word: string): string {
  return /^[\w:\\/.-]+$/.test(word) ? word : `"${word}"`
}

function xml(text: string): string {
  return text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`)
}
