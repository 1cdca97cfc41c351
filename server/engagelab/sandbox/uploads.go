package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"

	"susul.dev/susul/server/engagelab"
)

const maxVoices = 100

// voice is what is kept of an uploaded voice file.
type voice struct {
	Language string `json:"language"`
	FileURL  string `json:"file_url"`
	size     int
}

// setVoice takes a form with a language and a file. Of the file only its digest is kept.
func (s *Sandbox) setVoice(a *app, r *http.Request, body []byte) (any, error) {
	fields, err := readForm(r, body)
	if err != nil {
		return nil, err
	}
	language, file := string(fields["language"]), fields["file"]
	if language == "" || len(file) == 0 {
		return nil, refuse(http.StatusBadRequest, engagelab.CodeMissingParameter, "the form needs a language and a file")
	}
	if _, known := a.voices[language]; !known && len(a.voices) >= maxVoices {
		return nil, badRequest("there are %d voices already", maxVoices)
	}
	sum := sha256.Sum256(file)
	v := voice{Language: language, FileURL: "sandbox://voices/" + hex.EncodeToString(sum[:]), size: len(file)}
	a.voices[language] = v
	return v, nil
}

// readForm reads a multipart form by its fields.
func readForm(r *http.Request, body []byte) (map[string][]byte, error) {
	notAForm := badRequest("the body must be multipart/form-data")
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return nil, notAForm
	}
	fields := map[string][]byte{}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		part, err := parts.NextPart()
		if err == io.EOF { //nolint:errorlint // the reader returns it as it is
			return fields, nil
		}
		if err != nil {
			return nil, notAForm
		}
		if fields[part.FormName()], err = io.ReadAll(part); err != nil {
			return nil, notAForm
		}
	}
}

func (s *Sandbox) listVoices(a *app, _ *http.Request, _ []byte) (any, error) {
	list := []voice{}
	for _, language := range slices.Sorted(maps.Keys(a.voices)) {
		list = append(list, a.voices[language])
	}
	return list, nil
}

func (s *Sandbox) getVoice(a *app, r *http.Request, _ []byte) (any, error) {
	v, known := a.voices[r.PathValue("language")]
	if !known {
		return nil, badRequest("there is no voice for %q", r.PathValue("language"))
	}
	return v, nil
}

func (s *Sandbox) deleteVoice(a *app, r *http.Request, _ []byte) (any, error) {
	if _, err := s.getVoice(a, r, nil); err != nil {
		return nil, err
	}
	delete(a.voices, r.PathValue("language"))
	return nil, nil //nolint:nilnil // an empty answer
}

// setImages registers pictures by their addresses, and answers with an id for each.
func (s *Sandbox) setImages(_ *app, _ *http.Request, body []byte) (any, error) {
	param, err := readBody[struct {
		Big   string `json:"big_picture_url"`
		Small string `json:"small_picture_url"`
	}](body, "an object with big_picture_url or small_picture_url")
	if err != nil {
		return nil, err
	}
	answer := map[string]string{}
	for field, address := range map[string]string{"big_picture_id": param.Big, "small_picture_id": param.Small} {
		if address == "" {
			continue
		}
		if !isWebAddress(address) {
			return nil, badRequest("pictures need http or https addresses")
		}
		sum := sha256.Sum256([]byte(address))
		answer[field] = hex.EncodeToString(sum[:8])
	}
	if len(answer) == 0 {
		return nil, refuse(http.StatusBadRequest, engagelab.CodeMissingParameter, "there is no picture")
	}
	return answer, nil
}
