package external

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millrace/connectors"
	"millrace/plugins/external/proto"
)

// A Problem is a folder or manifest that was left out, and why.
type Problem struct {
	File string
	Err  error
}

func (p Problem) Error() string { return p.File + ": " + p.Err.Error() }

func (p Problem) Unwrap() error { return p.Err }

// Discover finds the programs that manifests in paths name, starts each once to ask for its classes, and returns them as plugins whose
// work is done in other processes. Manifests lie in a path itself or in a folder of it. What cannot be used is a Problem and does not
// keep the others from being used. The Supervisor is closed after the last use of a plugin; log may be nil.
func Discover(ctx context.Context, paths []string, log *slog.Logger) ([]connectors.Plugin, *Supervisor, []Problem) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := newSupervisor(log)
	var plugins []connectors.Plugin
	var problems []Problem
	type identity struct{ class, version string }
	seen := make(map[identity]string)
	files, others, problems := find(paths)
	if len(others) > 0 {
		log.Info("ignored files that are no manifests of plugins", "plugin_path", strings.Join(paths, ","), "files", len(others),
			"first", others[0], "suffix", Suffix)
	}
	for _, file := range files {
		found, err := s.describe(ctx, file)
		for _, p := range found {
			if other := seen[identity{p.Class, p.Version}]; other != "" {
				err = errors.Join(err, fmt.Errorf("classes: version %q of %s is in %s already", p.Version, p.Class, other))
			}
		}
		if err != nil {
			problems = append(problems, Problem{file, err})
			continue
		}
		for _, p := range found {
			seen[identity{p.Class, p.Version}] = file
		}
		plugins = append(plugins, found...)
	}
	return plugins, s, problems
}

// describe returns the plugins of one manifest.
func (s *Supervisor) describe(ctx context.Context, file string) ([]connectors.Plugin, error) {
	p, err := readManifest(file)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	proc, release, err := s.share(ctx, p)
	if err != nil {
		return nil, err
	}
	defer release()
	var reply *proto.DescribeReply
	err = proc.within("Describe", func() (err error) {
		reply, err = proc.plugin.Describe(ctx, &proto.DescribeRequest{})
		return err
	})
	if err != nil {
		return nil, err
	}
	var plugins []connectors.Plugin
	for _, name := range p.classes {
		i := slices.IndexFunc(reply.GetClasses(), func(c *proto.Class) bool { return c.GetClass() == name })
		if i < 0 {
			return nil, fmt.Errorf("classes: %s is none of the program's classes; it has %s", name, classNames(reply))
		}
		c := &class{supervisor: s, program: p, name: name}
		plugin, err := c.plugin(reply.GetClasses()[i])
		if err != nil {
			return nil, fmt.Errorf("class %s: %w", name, err)
		}
		plugins = append(plugins, plugin)
	}
	s.log.Info("found plugin program", "plugin", file, "classes", strings.Join(p.classes, ","), "duration", time.Since(began).Round(time.Millisecond))
	return plugins, nil
}

func classNames(r *proto.DescribeReply) string {
	names := make([]string, len(r.GetClasses()))
	for i, c := range r.GetClasses() {
		names[i] = c.GetClass()
	}
	return "[" + strings.Join(names, ", ") + "]"
}

// find returns the manifests in paths and their folders, and the other files there.
func find(paths []string) (manifests, others []string, problems []Problem) {
	for _, path := range paths {
		if path = strings.TrimSpace(path); path == "" {
			continue
		}
		path, err := filepath.Abs(path)
		if err != nil {
			problems = append(problems, Problem{path, err})
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			problems = append(problems, Problem{path, fmt.Errorf("plugin.path: %w", err)})
			continue
		}
		files := named(path, entries)
		for _, e := range entries {
			if !e.IsDir() {
				continue
			}
			folder := filepath.Join(path, e.Name())
			inner, err := os.ReadDir(folder)
			if err != nil {
				problems = append(problems, Problem{folder, err})
				continue
			}
			files = append(files, named(folder, inner)...)
		}
		programs := make(map[string]bool) // beside a manifest: they belong to it
		for _, f := range files {
			if strings.HasSuffix(f, Suffix) {
				manifests = append(manifests, f)
				programs[filepath.Dir(f)] = true
			}
		}
		for _, f := range files {
			if !programs[filepath.Dir(f)] || strings.HasSuffix(f, ".jar") {
				others = append(others, f)
			}
		}
	}
	slices.Sort(manifests)
	return slices.Compact(manifests), others, problems
}

func named(folder string, entries []os.DirEntry) []string {
	var files []string
	for _, e := range entries {
		if !e.IsDir() {
			files = append(files, filepath.Join(folder, e.Name()))
		}
	}
	return files
}
