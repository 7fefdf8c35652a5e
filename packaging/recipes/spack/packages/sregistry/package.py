# SPDX-License-Identifier: Apache-2.0

from spack.package import *


class Sregistry(Package):
    """One client for every place where Singularity and Apptainer images live: pull, push, list, inspect, verified
    and resumable, with an embedded registry. Its program is one file that needs Node and nothing else."""

    url = "@url@/sregistry-@version@-noarch.tar.xz"

    license("Apache-2.0")

    version("@version@", sha256="@sha256:noarch@")

    depends_on("node-js@@node@:", type="run")

    def install(self, spec, prefix):
        for name in ("bin", "lib", "share"):
            install_tree(name, join_path(prefix, name), symlinks=True)

    def setup_run_environment(self, env):
        env.prepend_path("XDG_DATA_DIRS", self.prefix.share)
