package main

import (
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// peers lists the versions of what the figures also depend on: the clients in this process, and ActiveMQ if it is here.
func peers() string {
	var list []string
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			switch dep.Path {
			case "github.com/twmb/franz-go", "github.com/go-stomp/stomp/v3":
				list = append(list, fmt.Sprintf("%s %s", strings.TrimPrefix(dep.Path, "github.com/"), dep.Version))
			}
		}
	}
	// Debian names the jar by the version, beside a link without one.
	jars, err := filepath.Glob("/usr/share/java/activemq-broker-*.jar")
	if err == nil && len(jars) > 0 {
		version := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(jars[0]), "activemq-broker-"), ".jar")
		list = append(list, "ActiveMQ "+version)
	}
	return strings.Join(list, ", ")
}

func charsToString(chars []int8) string {
	b := make([]byte, 0, len(chars))
	for _, c := range chars {
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	return string(b)
}
