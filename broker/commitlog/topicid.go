package commitlog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"millrace/broker/internal/vfs"
)

// topicIDFile names the topic of a partition directory: "version: 0", a line break, "topic_id: " and the id in URL-safe
// base64 without padding.
const topicIDFile = "partition.metadata"

// ReadTopicID returns the topic id in a partition directory; zero if there is none.
func ReadTopicID(fsys vfs.FS, dir string) ([16]byte, error) {
	name := filepath.Join(dir, topicIDFile)
	data, err := vfs.ReadFile(fsys, name, 4096)
	if errors.Is(err, fs.ErrNotExist) {
		return [16]byte{}, nil
	}
	if err != nil {
		return [16]byte{}, err
	}
	fields := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[key] = strings.TrimSpace(value)
		}
	}
	if v := fields["version"]; v != "0" {
		return [16]byte{}, fmt.Errorf("%s: version: expected 0, found %q", name, v)
	}
	id, err := ParseID(fields["topic_id"])
	if err != nil {
		return [16]byte{}, fmt.Errorf("%s: topic_id: %w", name, err)
	}
	return id, nil
}

// WriteTopicID writes the topic id into a partition directory, durably.
func WriteTopicID(fsys vfs.FS, dir string, id [16]byte) error {
	text := "version: 0\ntopic_id: " + FormatID(id)
	return vfs.ReplaceFile(fsys, filepath.Join(dir, topicIDFile), []byte(text))
}

// FormatID is an id as Kafka prints it.
func FormatID(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseID reads an id as Kafka prints it.
func ParseID(text string) (id [16]byte, err error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("expected 22 characters of URL-safe base64, found %q", text)
	}
	copy(id[:], b)
	return id, nil
}
