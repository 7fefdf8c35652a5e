#%Module1.0
## sregistry for Environment Modules: the prefix is where this file is, so that nothing has to be edited.
## In the prefix it is share/modulefiles/sregistry/VERSION:  module use PREFIX/share/modulefiles

set version [file tail $ModulesCurrentModulefile]
set prefix [file normalize [file join [file dirname $ModulesCurrentModulefile] .. .. ..]]

module-whatis "sregistry $version: client for Singularity and Apptainer images, with an embedded registry"

proc ModulesHelp {} {
    global version
    puts stderr "sregistry $version: sregistry --help, man sregistry"
}

conflict sregistry

prepend-path PATH $prefix/bin
prepend-path MANPATH $prefix/share/man

# A search path that was not set means the system's own directories; once it is set, they have to be in it.
if {![info exists env(MANPATH)] || $env(MANPATH) eq "$prefix/share/man"} {
    append-path MANPATH ""
}
if {![info exists env(XDG_DATA_DIRS)]} {
    append-path XDG_DATA_DIRS /usr/local/share /usr/share
}
# Where bash-completion and fish look for completions.
prepend-path XDG_DATA_DIRS $prefix/share
