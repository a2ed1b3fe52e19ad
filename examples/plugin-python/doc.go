// Package pluginpython tests the plugin program in Python beside it.
package pluginpython
