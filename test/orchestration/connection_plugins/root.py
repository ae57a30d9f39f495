"""Runs Ansible's modules in a root directory of this machine, as ssh would on a machine."""
import shlex

from ansible.plugins.connection.local import Connection as LocalConnection

DOCUMENTATION = """
name: root
short_description: run in a root directory
description: Changes the root directory for every command and copies files below it.
options:
  root_directory:
    description: The root directory.
    required: true
    vars:
      - name: root_directory
"""

ENVIRONMENT = ["env", "-i", "HOME=/root", "LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]


class Connection(LocalConnection):
    transport = "root"

    def exec_command(self, cmd, in_data=None, sudoable=True):
        command = ["chroot", self.get_option("root_directory"), *ENVIRONMENT, "/bin/sh", "-c", cmd]
        return super().exec_command(shlex.join(command), in_data=in_data, sudoable=sudoable)

    def put_file(self, in_path, out_path):
        return super().put_file(in_path, self.get_option("root_directory") + out_path)

    def fetch_file(self, in_path, out_path):
        return super().fetch_file(self.get_option("root_directory") + in_path, out_path)
