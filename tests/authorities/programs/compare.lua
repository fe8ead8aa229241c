-- rpm's order of versions, with epoch and release, as rpm itself parses them.
for line in io.lines() do
  local left, right = line:match("^(.-)\t(.*)$")
  local fine, a, b = pcall(function() return rpm.ver(left), rpm.ver(right) end)
  io.write((not fine or not a or not b) and "!" or a == b and "=" or a < b and "<" or ">", "\n")
end
