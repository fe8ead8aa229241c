# Alpine's order of versions.
tab=$(printf '\t')
while IFS=$tab read -r left right; do
  if apk version --check "$left" "$right" >/dev/null 2>&1; then apk version -t "$left" "$right"; else echo '!'; fi
done
