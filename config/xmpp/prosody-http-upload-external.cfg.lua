-- Prosody with the community module http_upload_external: Prosody signs the URLs.
--
-- Sizes are limited by Prosody when it hands out a slot, and by Tidegate when it is used. The signed
-- URLs never expire, and do not say who uploads: prefer the component if you can.

Component "upload.example.org" "http_upload_external"
    http_upload_external_base_url = "https://upload.example.org/upload/" -- with the slash at its end
    http_upload_external_secret = "change-this-upload-secret"
    http_upload_external_protocol = "v2" -- signs the media type too
    http_upload_external_file_size_limit = 1000000
