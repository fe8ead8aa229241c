# RubyGems' order of versions.
STDIN.each_line(chomp: true) do |line|
  left, right = line.split("\t", -1)
  begin
    puts({ -1 => "<", 0 => "=", 1 => ">" }[Gem::Version.new(left) <=> Gem::Version.new(right)])
  rescue ArgumentError
    puts "!"
  end
end
