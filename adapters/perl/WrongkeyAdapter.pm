# What every Perl adapter shares: the lines of protocol version 1, and a policy as an application writes it down.
#
# An adapter's own file says how its library is used. It calls `serve` with a function that gets the terms of a policy and gives
# back a judge: `$judge->($token)` returns header, claims and realm as the library gave them out, or dies.
package WrongkeyAdapter;
use v5.20;
use warnings;
use Exporter 'import';
use JSON ();
use MIME::Base64 qw(decode_base64);

our @EXPORT_OK = qw(refuse serve);

my $json = JSON->new->ascii->canonical->allow_nonref;

# What the application itself refuses, before or after the library's call.
sub refuse { die "refused: $_[0]\n" }

# The policy asks for something that neither the library nor an application on it has a setting for.
sub skip { die { skip => $_[0] } }

# The realm of the issuer that the library's unverified view of the token shows.
sub realm_of {
    my ($terms, $issuer) = @_;
    for my $realm (@{ $terms->{realms} }) {
        return $realm if defined $issuer && !ref $issuer && grep { $_ eq $issuer } @{ $realm->{issuers} };
    }
    refuse('the issuer is not trusted');
}

# For libraries that have no setting for required claims.
sub require_claims {
    my ($terms, $claims) = @_;
    for my $name (@{ $terms->{required} }) {
        refuse("no $name") if !defined $claims->{$name} || $claims->{$name} eq '';
    }
}

# RFC 7515 section 4.1.9: compared without regard to case, and `application/` may be left out.
sub short { lc($_[0] // '') =~ s{^application/}{}r }

# What is left to the application once the library is content: `typ`, the subject and the tenant.
sub own_checks {
    my ($terms, $header, $claims, $realm) = @_;
    my $types = $terms->{token_types};
    refuse('another typ') if $types && @$types && !grep { short($_) eq short($header->{typ}) } @$types;
    refuse('another subject') if $realm->{subjects} && !grep { $_ eq $claims->{sub} // '' } @{ $realm->{subjects} };
    my ($claim, $tenant) = @{ $terms->{tenants}{ $claims->{iss} } // [] };
    refuse('another tenant') if defined $claim && ($claims->{$claim} // '') ne $tenant;
}

# Who the application takes it to be: the library's own claims.
sub identity {
    my ($terms, $claims) = @_;
    my %who = (iss => $claims->{iss}, sub => $claims->{sub});
    my ($claim) = @{ $terms->{tenants}{ $claims->{iss} } // [] };
    $who{tid} = $claims->{$claim} if defined $claim;
    return \%who;
}

sub narrowed {
    my ($everyone, $own) = @_;
    return $everyone // $own unless $everyone && $own;
    my %everyone = map { $_ => 1 } @$everyone;
    return [grep { $everyone{$_} } @$own];
}

sub union { my %seen; [grep { !$seen{$_}++ } map { @$_ } @_] }

sub terms_of {
    my ($policy, $known, $pooled) = @_;
    skip('it fetches no keys') if $policy->{key_source} eq 'fetched';
    skip('a key set for each issuer only') if $policy->{key_source} eq 'converged' && !$pooled;
    skip('only the compact serialization') if "@{ $policy->{serializations} // ['compact'] }" ne 'compact';
    skip('no replay store') if ($policy->{replay} // '') eq 'refuse';
    skip('it understands no extension of the header') if @{ $policy->{crit_understood} // [] };
    # Whoever pools the keys of all issuers asks nothing further of a key.
    skip('no setting for the lifetime of a key') if $policy->{enforce_key_lifetime} && !$pooled;
    skip('no setting for the cloud of a key') if exists $policy->{cloud_instance} && !$pooled;

    my %known = map { $_ => 1 } @$known;
    my $terms = bless {
        realms => [], required => $policy->{required_claims} // [], leeway => $policy->{leeway} // 0,
        token_types => $policy->{token_types}, tenants => {},
    };
    for my $issuer (@{ $policy->{issuers} }) {
        skip('no setting for the header member signer') if exists $issuer->{signer};
        my @names = $terms->names($policy, $issuer);
        my $allowed = narrowed($policy->{algorithms}, $issuer->{algorithms});
        push @{ $terms->{realms} }, {
            issuers => \@names,
            keys => [@{ $issuer->{jwks}{keys} // [] }, @{ $issuer->{secrets}{keys} // [] }],
            algorithms => narrowed($known, $allowed),
            audiences => narrowed($policy->{audiences}, $issuer->{audiences}),
            subjects => $issuer->{subjects},
        };
    }
    $terms->{realms} = [pool($terms->{realms}, $policy->{converged_jwks}{keys} // [])] if $pooled;
    return $terms;
}

# Libraries compare whole names, so a template becomes one name for each tenant; a literal name wins over it.
sub names {
    my ($terms, $policy, $issuer) = @_;
    return $issuer->{issuer} if index($issuer->{issuer}, '{tenantid}') < 0;
    skip('no issuer templates without a list of tenants') unless $issuer->{tenants};
    my %literal = map { $_->{issuer} => 1 } @{ $policy->{issuers} };
    my @names;
    for my $tenant (@{ $issuer->{tenants} }) {
        my $name = $issuer->{issuer} =~ s/\{tenantid\}/$tenant/r;
        next if $literal{$name};
        push @names, $name;
        $terms->{tenants}{$name} = [$issuer->{tenant_claim} // 'tid', $tenant];
    }
    return @names;
}

# One realm of everything that any issuer may do: the mistake that a pooled adapter is there to show.
sub pool {
    my ($realms, $converged) = @_;
    my %subjects = map { $json->encode($_->{subjects}) => 1 } @$realms;
    skip('the same subjects for all issuers only') if keys %subjects > 1;
    return {
        issuers => union(map { $_->{issuers} } @$realms),
        keys => [(map { @{ $_->{keys} } } @$realms), @$converged],
        algorithms => union(map { $_->{algorithms} } @$realms),
        audiences => (grep { !$_->{audiences} } @$realms) ? undef : union(map { $_->{audiences} } @$realms),
        subjects => @$realms ? $realms->[0]{subjects} : undef,
    };
}

# Answers until standard input ends. `--pooled` puts the keys of all issuers into one set.
sub serve {
    my ($name, $version, $algorithms, $settle) = @_;
    my $pooled = "@ARGV" eq '--pooled';
    die "usage: $0 [--pooled]\n" if @ARGV && !$pooled;
    my ($terms, $judge);

    my %answers = (
        hello => sub {
            return { hello => {
                protocol => 1, name => $pooled ? "$name-pooled" : $name, version => "$version", clock => 'system',
                key_sources => $pooled ? ['per-issuer', 'converged'] : ['per-issuer'],
                features => ['live-update', 'issuer-templates', 'identity', 'large'], algorithms => $algorithms,
            } };
        },
        # The application reads its configuration anew; neither it nor the library remembers anything of the former one.
        configure => sub {
            my ($request) = @_;
            ($terms, $judge) = ();
            return { id => $request->{id}, ok => JSON::true } if eval {
                $terms = terms_of($request->{policy}, $algorithms, $pooled);
                $judge = $settle->($terms);
            };
            return { id => $request->{id}, ref $@ ? %{$@} : (error => "$@") };
        },
        validate => sub {
            my ($request) = @_;
            my $token = $request->{token} // decode_base64($request->{token_b64});
            my $who = eval {
                my ($header, $claims, $realm) = $judge->($token);
                $terms->own_checks($header, $claims, $realm);
                $terms->identity($claims);
            };
            return { id => $request->{id}, accept => $who } if $who;
            # Whatever escapes a library ends as a refused request in a service.
            return { id => $request->{id}, reject => substr "$@", 0, 300 };
        },
    );
    $| = 1;
    while (my $line = <STDIN>) {
        my $answer = eval {
            my ($kind, $request) = %{ $json->decode($line) };
            $answers{$kind}->($request);
        };
        if ($answer) {
            print $json->encode($answer), "\n";
        } else {
            print STDERR 'cannot read a line of ', length $line, " octets: $@";
        }
    }
}

1;
