-- sregistry for Lmod: the prefix is where this file is, so that nothing has to be edited.
-- In the prefix it is share/modulefiles/sregistry/VERSION.lua:  module use PREFIX/share/modulefiles

local version = myModuleVersion()
local prefix = myFileName():match("^(.*)/[^/]*/[^/]*/[^/]*/[^/]*$")

whatis("Name: sregistry")
whatis("Version: " .. version)
whatis("Description: client for Singularity and Apptainer images, with an embedded registry")
help("sregistry " .. version .. ": sregistry --help, man sregistry")

conflict("sregistry")

prepend_path("PATH", pathJoin(prefix, "bin"))
prepend_path("MANPATH", pathJoin(prefix, "share/man"))

-- A search path that was not set means the system's own directories; once it is set, they have to be in it.
append_path("MANPATH", "")
if (os.getenv("XDG_DATA_DIRS") or "") == "" then
  append_path("XDG_DATA_DIRS", "/usr/local/share:/usr/share")
end
-- Where bash-completion and fish look for completions.
prepend_path("XDG_DATA_DIRS", pathJoin(prefix, "share"))
